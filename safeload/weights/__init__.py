"""Check and load the weights of any model: the tensors of a file, a folder or an archive, without its config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from safeload._boundary import typed_errors
from safeload.weights.report import WeightsReport

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from safeload._bytes.paths import StrPath

__all__ = ["WeightsReport", "check_weights", "load_state_dict"]


@typed_errors
def check_weights(
    path: StrPath,
    *,
    base_dir: StrPath | None = None,
    lock_file: StrPath | None = None,
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
) -> WeightsReport:
    """Verify the weights of any model, in any form that safeload reads, without a config.

    It checks the structure of each file, shards against their index, every checksum in the files, each value for NaN
    and infinity, and each file against its lock. In a cache of huggingface_hub, it compares each file with the SHA-256 or
    SHA-1 in the name of its blob. Files of any size are read in blocks, several at once, with less than 200 MB of memory.
    If a file has a digest, the bytes that are verified are the bytes that were hashed.

    Args:
        path: A weight file, an index of shards, a checkpoint prefix, a folder with one of these, or an archive of one: a path,
            or an address such as `s3://bucket/bert`. If a folder has several weights, those with a usual name are read.
        base_dir: The folder that a relative path starts from. Defaults to the working directory.
        lock_file: `safeload.lock`, or its folder. Defaults to the one in the folder of the weights, if present. For weights at
            an address, it may be in another place.
        signature: A signature of the model in the format of OpenSSF model signing, such as "model.sig". It must cover each file
            that is read, and the file must not have changed since. The bytes that are verified are the bytes that were hashed.
            Needs `signed_by`, and the package model-signing.
        signed_by: The PEM file with the signer's public key, or with the root certificates that you trust.
        cache_dir: A folder on disk for copies of files at addresses, stored by address and version. The next load reads the
            copy, and hashes it first. Defaults to None: nothing is written.

    Returns:
        The report on what was read. Tensors of integers, complex numbers and floats of fewer than 8 bits are read and
        verified too, but not searched for NaN and infinity. The report counts them.

    Raises:
        InvalidPathError: The path is invalid.
        MissingFileError: A file does not exist, or a shard that the index lists.
        CheckpointNotFoundError: The path has no weights. The error lists weights in sub-folders, as in a diffusers pipeline.
        AmbiguousCheckpointError: The folder has several weights, or its sub-folders have; the error lists them.
        UnreadableFileError: This process has no permission to read a file.
        FileSystemError: The system or a server failed to read.
        WrongFileKindError: A file is of another kind.
        CorruptFileError: A file is truncated, fails a checksum, has NaN or infinite values, contradicts its index, or was
            replaced during the check. The error lists every damaged tensor.
        UnsafeFileError: A file points outside its folder, asks for code, or declares a size out of proportion.
        ConfigError: The index of shards, or the config inside a `.keras` file, is not JSON.
        LockError: A file does not match the lock or the signature; or one of these is invalid or from another signer.
        ArgumentError: Only one of `signature` and `signed_by` was passed.
        MissingDependencyError: A package is missing or does not work: model-signing for a signature, or the package that reads
            an address.

    Source:
        safetensors/src/tensor.rs, safetensors 0.8; torch/serialization.py, torch 2.13; tensorflow's tensor_bundle.cc,
        TensorFlow 2.21; huggingface_hub/file_download.py, huggingface_hub 1.0.
    """
    from safeload._reports import warn_of  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.weights._checking import Request, check  # noqa: PLC0415

    report = check(
        Request(
            path=path,
            base_dir=base_dir,
            lock_file=lock_file,
            signature=signature,
            signed_by=signed_by,
            cache_dir=cache_dir,
        )
    )
    warn_of(report, "weights")
    return report


class _Places(TypedDict, total=False):
    base_dir: StrPath | None
    lock_file: StrPath | None
    signature: StrPath | None
    signed_by: StrPath | None
    cache_dir: StrPath | None


@overload
def load_state_dict(
    path: StrPath, *, framework: Literal["numpy"] = "numpy", **places: Unpack[_Places]
) -> dict[str, NDArray[Any]]: ...
@overload
def load_state_dict(path: StrPath, *, framework: str, **places: Unpack[_Places]) -> dict[str, Any]: ...
@typed_errors
def load_state_dict(  # noqa: PLR0913  (check_weights' arguments)
    path: StrPath,
    *,
    framework: str = "numpy",
    base_dir: StrPath | None = None,
    lock_file: StrPath | None = None,
    signature: StrPath | None = None,
    signed_by: StrPath | None = None,
    cache_dir: StrPath | None = None,
) -> dict[str, Any]:
    """Verify weights as `check_weights` does, and return their tensors.

    The tensors are made from the bytes that were verified, and each is in memory once. Pass them to
    `model.load_state_dict(...)`, or to transformers' `from_pretrained(None, config=config, state_dict=...)`.

    Args:
        path: As in `check_weights`.
        framework: "numpy" or "torch".
        base_dir: As in `check_weights`.
        lock_file: As in `check_weights`.
        signature: As in `check_weights`.
        signed_by: As in `check_weights`.
        cache_dir: As in `check_weights`.

    Returns:
        Name -> tensor of the stored shape and dtype, in the order of the file, on the CPU. In NumPy, bfloat16 becomes
        float32 without loss, and strings become objects of bytes. If a PyTorch file gives the same tensor two names, as for
        tied embeddings, both share their memory. Different views of one storage, such as a matrix and its transpose, each get
        their own memory; with `torch.load` they share it. The names of tensors in nested dicts are joined by dots.

    Raises:
        ArgumentError: `framework` is unknown, or lacks the type of a tensor: NumPy has no floats of fewer than 16 bits, and
            torch has no strings. The error lists the tensors and their types. It is raised before any values are read.
        MissingDependencyError: torch is missing or does not work.
        SafeLoadError: As `check_weights`.

    Source:
        safetensors/torch.py, load_file, safetensors 0.8; torch/serialization.py, load, torch 2.13.
    """
    from safeload.weights._checking import Request  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.weights._loading import load  # noqa: PLC0415

    return load(
        Request(
            path=path,
            base_dir=base_dir,
            lock_file=lock_file,
            signature=signature,
            signed_by=signed_by,
            cache_dir=cache_dir,
        ),
        framework,
    )
