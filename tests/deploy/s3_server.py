"""moto's S3 server on the port that the command names, whose conditional uploads are atomic, as S3's are.

moto by itself looks whether a file is there and then writes it, in threads: of two clients both could be first.
"""

import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_one_at_a_time = threading.Lock()
_moto = DomainDispatcherApplication(create_backend_app)


def serve(environ, start_response):
    with _one_at_a_time:
        return _moto(environ, start_response)


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), serve, threaded=True)
