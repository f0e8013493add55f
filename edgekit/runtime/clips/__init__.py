"""Short annotated videos around events, in a folder with a quota.

pipeline --frames--> sink (bounded) --> one worker: draw, JPEG --> recorder (ring, clip) --> video --> store
"""
