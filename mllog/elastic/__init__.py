"""What Elasticsearch must hold for events and results, and the way to it. Needs the extra ``elastic``."""
