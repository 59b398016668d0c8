"""Claude models on Amazon Bedrock behind the model port, on Anthropic's SDK, which signs requests and reads AWS event streams."""

import httpx2
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from botocore.exceptions import BotoCoreError  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from adapters.models.addresses import AwsAccess
from adapters.models.anthropic_provider import ClaudeProvider
from adapters.models.vendor_errors import VendorErrors
from domain.errors import ModelFailed
from domain.provider import CompletionReply, CompletionRequest, OnDelta


class BedrockProvider(ClaudeProvider):
    """Calls `bedrock/<model id or inference profile>`; the protocol is that of the Messages API."""

    def __init__(self, access: AwsAccess, *, http: httpx2.AsyncClient | None = None) -> None:
        signed = access.api_key is None
        client = AsyncAnthropicBedrock(
            aws_region=access.region,
            api_key=access.api_key,
            aws_access_key=access.access_key_id if signed else None,
            aws_secret_key=access.secret_access_key if signed else None,
            aws_session_token=access.session_token if signed else None,
            base_url=access.address,
            max_retries=0,
            http_client=http,
        )
        super().__init__(client, VendorErrors("Bedrock", access.api_key or access.secret_access_key))

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises.

        Raises:
            ModelFailed: there are no credentials to sign the request with.
            RuntimeError: the receiver of the stream raised one.
        """
        try:
            return await super().complete(request, on_delta, timeout_s=timeout_s)
        except BotoCoreError as error:
            raise ModelFailed(f"the call to Bedrock could not be signed ({type(error).__name__}); check the AWS credentials") from None
        except RuntimeError as error:
            if "AWS credentials" not in str(error):
                raise
            raise ModelFailed("there are no AWS credentials to sign a call to Bedrock with; set AWS_ACCESS_KEY_ID and its kin") from None
