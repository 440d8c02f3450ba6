import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "prune_venv.py"
DEV = "dequeuer/dev/cli.py"
COMMANDS = ("activate", "dequeuer", "jp.py", "python3", "python3.12")
KEPT = ("s3", "signin", "sqs", "sso", "sso-oidc", "sts")


def make(root: Path, *files: str) -> Path:
    packages = root / "lib" / "python3.12" / "site-packages"
    for name in files:
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (root / "bin").mkdir()
    for name in COMMANDS:
        (root / "bin" / name).write_bytes(b"")
    return packages


def prune(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(root)], capture_output=True, text=True, check=False, timeout=60
    )


def left(packages: Path) -> set[str]:
    return {path.relative_to(packages).as_posix() for path in packages.rglob("*") if path.is_file()}


def test_keeps_what_the_credential_chain_needs_and_nothing_else(tmp_path: Path) -> None:
    needed = {f"botocore/data/{name}/2012-11-05/service-2.json.gz" for name in KEPT}
    needed |= {"botocore/data/endpoints.json", "botocore/data/partitions.json", "yaml/_yaml.so", "testing/a.py"}
    needed |= {"dequeuer/cli.py", "other/dev/cli.py"}
    surplus = {"botocore/data/ec2/2016-11-15/service-2.json.gz", "yaml/tests/test_a.py", "yaml/_yaml.pyx", DEV}
    packages = make(tmp_path, *needed, *surplus)
    assert prune(tmp_path).returncode == 0
    assert left(packages) == needed


def test_keeps_no_other_command_and_nothing_about_the_installation(tmp_path: Path) -> None:
    needed = {f"botocore/data/{name}/2012-11-05/service-2.json.gz" for name in KEPT}
    needed |= {"six-1.17.0.dist-info/METADATA", "six-1.17.0.dist-info/licenses/LICENSE", "other/RECORD"}
    surplus = {f"six-1.17.0.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")}
    packages = make(tmp_path, *needed, *surplus, DEV)
    assert prune(tmp_path).returncode == 0
    assert left(packages) == needed
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"dequeuer", "python3", "python3.12"}


def test_stops_when_botocore_has_moved_its_data(tmp_path: Path) -> None:
    packages = make(tmp_path, "botocore/data/ec2/2016-11-15/service-2.json.gz", DEV)
    result = prune(tmp_path)
    assert result.returncode == 1
    assert "botocore's layout changed" in result.stderr
    assert left(packages) == {"botocore/data/ec2/2016-11-15/service-2.json.gz", DEV}


def test_stops_when_the_local_stack_has_moved(tmp_path: Path) -> None:
    needed = {f"botocore/data/{name}/2012-11-05/service-2.json.gz" for name in KEPT}
    packages = make(tmp_path, *needed, "dequeuer/develop/cli.py")
    result = prune(tmp_path)
    assert result.returncode == 1
    assert "correct LOCAL_STACK" in result.stderr
    assert left(packages) == needed | {"dequeuer/develop/cli.py"}


def test_refuses_a_folder_that_is_no_environment(tmp_path: Path) -> None:
    result = prune(tmp_path)
    assert result.returncode == 1
    assert "give the folder of a venv" in result.stderr
