"""What watching on Elasticsearch costs: one node, the product's store and what others do with the same events."""
