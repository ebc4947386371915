"""``python -m support.with_node COMMAND ...``: runs a command beside a real Elasticsearch node, and stops that.

``{place}`` in the command's words becomes the node's place. The node is the one of the tests: a given one
(``MLLOG_TEST_ELASTICSEARCH``), Docker's, or that of Maven Central.
"""

from __future__ import annotations

import os
import subprocess
import sys

from support.elasticsearch import DEFAULT_VERSION, NoNodeError, open_node

USAGE, FAILED = 2, 3


def main(words: list[str]) -> int:
    """Run a command; its exit code."""
    if not words:
        print(__doc__, file=sys.stderr)
        return USAGE
    version = os.environ.get("MLLOG_ELASTICSEARCH_VERSION", DEFAULT_VERSION)
    print(f"starting Elasticsearch {version} ...", file=sys.stderr)
    try:
        node = open_node(version)
    except NoNodeError as error:
        print(error, file=sys.stderr)
        return FAILED
    try:
        place = f"elasticsearch+{node.url}"
        return subprocess.run([word.replace("{place}", place) for word in words], check=False).returncode
    finally:
        node.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
