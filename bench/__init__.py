"""How fast the pipeline is and how much memory it takes, beside the SDK's own floor, a sequential walk and dlt: `make bench`."""
