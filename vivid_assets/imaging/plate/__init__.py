"""What a photograph before a plain background knows: its plate, the shadow there, and the subject's alpha.

Read in the order in which the data pass through:

``find_plate``     the plate, fitted at 256 pixels; a busy background has none, and the room is left at once
``known_plate``    the whole path from here to ``full_alpha``, in one function
``small_picture``  the picture at 512 pixels against the plate: on its ray, flat, thin; ``floor`` has its whole rows
``shadow_layer``   the share of the plate's light that is left, measured on what is background
``separation``     background, subject and what lies between them, which alpha is solved for; with it
                   ``own_colors`` (what the subject has itself), ``gaps`` (holes, and what hairs let through) and
                   ``in_shadow`` (the plate's light, and the subject's dark, in the shadow)
``spreads``        how sure F and B are; whether they are too much alike to be told apart
``full_alpha``     alpha at the picture's own size
``cast_shadow``    which shadow goes before the new background; ``contact_shadow`` draws a soft one
``lay_shadow``     the shadow over the new background

``fill`` and ``neighbours`` serve several of them. ``blend`` calls ``find_plate`` and ``known_plate`` when it takes a
subject off its photograph, and the last two when it puts it before a new background.
"""
