from buildpacks import output


def test_lines_have_the_peers_prefixes() -> None:
    assert output.step("Node.js app detected") == "-----> Node.js app detected\n"
    assert output.detail("one\n\ntwo") == "       one\n\n       two\n"
    assert output.problem("stop\nnow") == " !     stop\n !     now\n"
    assert output.problem("") == " !\n"
    assert output.result("live") == "=====> live\n"
