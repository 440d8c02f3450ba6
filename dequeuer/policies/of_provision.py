"""What `dequeuer provision` needs itself."""

from __future__ import annotations

from typing import Final

from dequeuer.policies.needs import Actions, needs_of
from dequeuer.policies.patterns import BUCKET, QUEUE

PROVISION: Final = needs_of(
    "provision",
    "provision",
    (
        Actions(
            actions=(
                "sqs:GetQueueUrl",
                "sqs:CreateQueue",
                "sqs:GetQueueAttributes",
                "sqs:SetQueueAttributes",
                "sqs:ListQueueTags",
                "sqs:TagQueue",
            ),
            resources=(QUEUE,),
            case="queues",
        ),
        Actions(
            actions=(
                "s3:ListBucket",
                "s3:CreateBucket",
                "s3:GetBucketLocation",
                "s3:GetBucketPublicAccessBlock",
                "s3:PutBucketPublicAccessBlock",
                "s3:GetBucketOwnershipControls",
                "s3:PutBucketOwnershipControls",
                "s3:GetEncryptionConfiguration",
                "s3:PutEncryptionConfiguration",
            ),
            resources=(BUCKET,),
            case="buckets",
        ),
        Actions(
            actions=("s3:GetBucketPolicy", "s3:PutBucketPolicy"),
            resources=(BUCKET,),
            case="tls_only",
        ),
        Actions(
            actions=("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
            resources=(BUCKET,),
            case="expiry",
        ),
    ),
    {},
    otherwise="exit 1 at the call that needs it; what was done before stays, and a later run goes on",
)
