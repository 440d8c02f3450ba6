"""The objects and headers that all servers of the benchmark serve, and all clients send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

REGION: Final = "us-west-2"
BUCKET: Final = "bench-bucket"
CLUSTER: Final = "cluster-uid"
API: Final = "api"
JOB: Final = "job-1"
QUEUE_PATH: Final = "/000000000000/bench"
KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "ASIABENCHBENCHBENCH0",
    "AWS_SECRET_ACCESS_KEY": "bench" * 8,
    # About as long as the token of a pod.
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEBench" * 40,
}
HEADERS: Final = {
    "Content-Type": ["application/json"],
    "Accept": ["application/json"],
    "User-Agent": ["bench/1.0"],
    "X-Request-Source": ["bench"],
}
HEADERS_JSON: Final = json.dumps(HEADERS).encode()
E_TAG: Final = '"9a0364b9e99bb480dd25e1f0284c8555"'
LAST_MODIFIED: Final = "Fri, 20 Nov 2026 09:59:00 GMT"
LISTING: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    f"<Name>{BUCKET}</Name><Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>"
    "<IsTruncated>false</IsTruncated></ListBucketResult>"
)
LIFECYCLE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
    f"<ID>async-workloads-expiry-policy</ID><Filter><Prefix>{CLUSTER}/workloads/</Prefix></Filter>"
    "<Status>Enabled</Status><Expiration><Days>7</Days></Expiration>"
    "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>"
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    "</Rule></LifecycleConfiguration>"
)
"""The rule as the sidecar writes it. With another rule it would write its own, and the run would be void."""
BEGUN: Final = (
    f"<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>key</Key><UploadId>upload-1</UploadId>"
    "</InitiateMultipartUploadResult>"
)


def listing_of(key: str) -> str:
    """Return a listing with one empty object."""
    return LISTING.replace("<KeyCount>0</KeyCount>", "<KeyCount>1</KeyCount>").replace(
        "<IsTruncated>",
        f"<Contents><Key>{key}</Key><LastModified>2026-11-20T09:59:00.000Z</LastModified><ETag>{E_TAG}</ETag>"
        "<Size>0</Size></Contents><IsTruncated>",
    )


def deleted(keys: Sequence[str]) -> str:
    """Return the response to a DeleteObjects that is not quiet. Some clients do not accept an empty list."""
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    entries = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in keys)
    return f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult xmlns="{namespace}">{entries}</DeleteResult>'


def key(request_id: str, name: str) -> str:
    """Return the path of an object of a request."""
    return f"/{BUCKET}/{CLUSTER}/workloads/{API}/{request_id}/{name}"


def json_text(size: int) -> bytes:
    """Return a JSON object of `size` bytes."""
    return b'{"scores": "%b"}' % (b"x" * max(0, size - 14))
