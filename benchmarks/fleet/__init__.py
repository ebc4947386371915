"""One pass of the scheduler over the models of a fleet, all of them on one Elasticsearch node."""
