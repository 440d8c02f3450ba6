"""Keys of the SDK's chain: their expiry is known, and web identity in a profile works like that of the pod."""

import time
from pathlib import Path

import pytest

from dequeuer.aws.credentials.renewal import Keys
from dequeuer.clients.sdk import Aws
from dequeuer.settings import AwsSettings
from tests.aws.credentials.judge import environment
from tests.aws.credentials.server import assumed, instant, serving

WHERE = AwsSettings(region="eu-west-1", endpoint_url=None, endpoint_url_sqs=None, endpoint_url_s3=None)


async def test_the_end_of_keys_of_a_profiles_role_is_known(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("identity-token", encoding="utf-8")
    config = (
        f"[profile work]\nrole_arn = arn:aws:iam::123456789012:role/api\nweb_identity_token_file = {tmp_path}/token\n"
    )
    (tmp_path / "config").write_text(config, encoding="utf-8")
    with serving() as server:
        server.answer("POST /", (200, assumed(instant(3600))))
        variables = {
            "HOME": str(tmp_path),
            "AWS_PROFILE": "work",
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_ENDPOINT_URL_STS": server.url,
        }
        with environment(variables):
            aws = Aws(WHERE)
            keys = await aws.get_frozen_credentials()
            await aws.close()
    assert isinstance(keys, Keys)
    assert keys.access_key == "ASIAASSUMED"
    assert keys.expires_at == pytest.approx(time.time() + 3600, abs=10)
    assert keys.lifetime_s == pytest.approx(3600, abs=10)


async def test_keys_of_a_file_have_no_end(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n", encoding="utf-8")
    with environment({"HOME": str(tmp_path), "AWS_SHARED_CREDENTIALS_FILE": str(path)}):
        keys = await Aws(WHERE).get_frozen_credentials()
    assert not isinstance(keys, Keys)
    assert keys.access_key == "FILE"
