"""From a record to a durable line: queue, writer, encoder, sinks, spool, ledger."""
