"""moto's S3 server on the port that the command names, made more like S3 in two ways.

Conditional uploads are atomic: moto by itself looks whether a file is there and then writes it, in threads, so of two
clients both could be first. And each object under a key of KMS has an ETag of its own, where moto's is the MD5.
"""

import sys
import threading
import uuid

from moto.s3.models import FakeKey
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_one_at_a_time = threading.Lock()
_moto = DomainDispatcherApplication(create_backend_app)

_make = FakeKey.__init__


def make(key, *arguments, **options):
    if options.get("encryption") == "aws:kms" and not options.get("etag"):
        options["etag"] = uuid.uuid4().hex
    _make(key, *arguments, **options)


def serve(environ, start_response):
    with _one_at_a_time:
        return _moto(environ, start_response)


if __name__ == "__main__":
    FakeKey.__init__ = make
    run_simple("127.0.0.1", int(sys.argv[1]), serve, threaded=True)
