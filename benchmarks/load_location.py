"""Loads one code location as Dagster's code server does, and prints what it took as JSON.

Usage: load_location.py MODULE. Seconds count from after `import dagster`, which both sides pay, to
the serialised snapshot that web server and daemon fetch.
"""

import json
import resource
import sys
from time import perf_counter, process_time

import dagster  # noqa: F401  # both sides pay for it
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._grpc.server import LoadedRepositories
from dagster_shared.serdes import serialize_value


def load(module: str) -> dict[str, float]:
    origin = LoadableTargetOrigin(module_name=module, executable_path=sys.executable)
    start, start_cpu = perf_counter(), process_time()
    repositories = LoadedRepositories(origin, None, [], None)
    loaded = perf_counter()
    (repository,) = repositories.definitions_by_name.values()
    snapshot = RepositorySnap.from_def(repository, defer_snapshots=True)
    size = len(serialize_value(snapshot))
    end = perf_counter()
    return {
        "load_seconds": loaded - start,
        "snapshot_seconds": end - loaded,
        "seconds": end - start,
        "cpu_seconds": process_time() - start_cpu,
        "snapshot_megabytes": size / 1e6,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "schedules": len(snapshot.schedules),
        "assets": len(snapshot.asset_nodes),
    }


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])))
