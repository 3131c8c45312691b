"""`make bench`: the speed and memory of the pipeline, compared with the SDK's own floor, a
sequential walk and dlt.
"""
