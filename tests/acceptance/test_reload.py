from orchestration.cli.dev.home import Instance, claim, write_record


def test_a_reload_that_does_not_happen_names_the_log_where_it_really_is(workspace):
    workspace.edit("runner.yaml", "runner:\n", "runner:\n  state_directory: kept/here\n")
    state = workspace.folder / "kept/here"
    socket = str(workspace.folder / "nobody.sock")
    instance = Instance(
        command="dev",
        pid=1,
        url="http://localhost:3000",
        socket=socket,
        started="2026-01-31T12:00:00+00:00",
    )
    with claim(state, "dev"):
        write_record(state, instance)

        done = workspace.run("reload")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error ORC626: the code server does not answer: ")
    assert done.err.endswith(
        f"\n   help: see the log of the code server, {state}/logs/code-server.log\n"
    )
