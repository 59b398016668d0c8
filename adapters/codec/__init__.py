"""Encryption at rest and on Temporal's wire: zstd, then AES-256-GCM under keys of the tenant. Implements `domain.stores.PayloadCipher`.

`framing` says how sealed bytes look, `cipher` seals for tenants and data subjects, `data_keys` derives a tenant's keys, `master_key`
keeps the one secret file, `tenants` knows which workflow is whose, `temporal_codec` and `codec_server` put them to use for the SDK and
for the Web UI.
"""
