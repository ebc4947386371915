"""How fast a spool gets into Elasticsearch: ``mllog ship`` beside the helpers of Elasticsearch's own client."""
