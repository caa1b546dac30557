"""Keys, certificates and signatures, made by model-signing and cryptography."""

from __future__ import annotations

import base64
import datetime as dt
import json

START = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def derived(number, curve="SECP256R1"):
    """Return a private key that is the same each time, so that messages with its fingerprint can be compared."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(number, getattr(ec, curve)())


def write_key(folder, name="publisher", key=None):
    """Write a private key and its public one in PEM, and return the paths."""
    from cryptography.hazmat.primitives import serialization as s

    key = key or derived(7)
    folder.mkdir(exist_ok=True)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def certificate(subject, key, issuer=None, issuer_key=None, *, is_ca=False, may_sign=True):
    """Return a certificate, signed by its issuer or else by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    usage = dict.fromkeys(
        (
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage["content_commitment"] = not may_sign
    made = x509.CertificateBuilder(
        issuer_name=issuer.subject if issuer else name_of(subject),
        subject_name=name_of(subject),
        public_key=key.public_key(),
        serial_number=1 + len(subject),
        not_valid_before=START,
        not_valid_after=START + dt.timedelta(days=9000),
    )
    made = made.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    made = made.add_extension(
        x509.KeyUsage(digital_signature=may_sign, key_cert_sign=is_ca, crl_sign=is_ca, **usage), critical=True
    )
    return made.sign(issuer_key or key, hashes.SHA256())


def name_of(subject):
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])


class Chain:
    """A root, an intermediate certificate, and that of a signer; the root is what others trust."""

    def __init__(self, folder, **options):
        from cryptography.hazmat.primitives.serialization import Encoding

        keys = [derived(number) for number in (11, 12, 13)]
        root = certificate("Root", keys[0], is_ca=True)
        inner = certificate("Intermediate", keys[1], root, keys[0], is_ca=True)
        self.certificate = certificate("Publisher", keys[2], inner, keys[1], **options)
        self.private, _ = write_key(folder, "signer", keys[2])
        self.paths = {}
        for name, each in (("root", root), ("inner", inner), ("signer", self.certificate)):
            self.paths[name] = folder / f"{name}.crt"
            self.paths[name].write_bytes(each.public_bytes(Encoding.PEM))
        self.root = self.paths["root"]


def hashing(**options):
    """Return a configuration of hashes; of shards if `shard_size` is among the options."""
    from model_signing import hashing

    config = hashing.Config()
    use = config.use_shard_serialization if "shard_size" in options else config.use_file_serialization
    return use(**options)


def sign(folder, signature, private, config=None, ignored=()):
    """Sign with a key, as model-signing does."""
    from model_signing import signing

    config = (config or hashing()).set_allow_symlinks(True).set_ignored_paths(paths=[signature.name, *ignored])
    signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config).sign(folder, signature)
    return signature


def sign_with(chain, folder, signature):
    """Sign with a certificate, as model-signing does."""
    from model_signing import signing

    made = signing.Config().use_certificate_signer(
        private_key=chain.private,
        signing_certificate=chain.paths["signer"],
        certificate_chain=[chain.paths["inner"], chain.root],
    )
    made.set_hashing_config(hashing().set_ignored_paths(paths=[signature.name])).sign(folder, signature)
    return signature


class WithItems:
    """Hashes a folder, and returns a manifest with another list of files: name -> digest."""

    def __init__(self, change):
        self.change = change

    def hash(self, folder):
        from model_signing import manifest

        found = hashing().set_allow_symlinks(True).hash(folder)
        kind = manifest._FileSerialization("sha256")
        changed = self.change({each.identifier: each.digest for each in found.resource_descriptors()})
        items = [kind.new_item(name, digest) for name, digest in changed.items()]
        return manifest.Manifest("model", items, kind)


def sign_hashes(signature, folder, private, hashes):
    """Sign what a configuration of hashes says of a folder."""
    from model_signing import signing

    signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(hashes).sign(folder, signature)
    return signature


def sign_payload(payload, key):
    """Return a bundle that a key signed, whatever its payload is."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    kind = b"application/vnd.in-toto+json"
    signed = key.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload), ec.ECDSA(hashes.SHA256()))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind.decode(),
            "signatures": [{"sig": base64.b64encode(signed).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle).encode()
