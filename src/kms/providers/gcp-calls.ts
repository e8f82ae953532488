import type { protos } from '@google-cloud/kms';

/** The calls that are made, each with what it takes and what it answers. */
export interface GcpCalls {
  readonly encrypt: readonly [protos.google.cloud.kms.v1.IEncryptRequest, protos.google.cloud.kms.v1.IEncryptResponse];
  readonly decrypt: readonly [protos.google.cloud.kms.v1.IDecryptRequest, protos.google.cloud.kms.v1.IDecryptResponse];
  readonly getCryptoKey: readonly [
    protos.google.cloud.kms.v1.IGetCryptoKeyRequest,
    protos.google.cloud.kms.v1.ICryptoKey,
  ];
  readonly createCryptoKey: readonly [
    protos.google.cloud.kms.v1.ICreateCryptoKeyRequest,
    protos.google.cloud.kms.v1.ICryptoKey,
  ];
  readonly updateCryptoKeyPrimaryVersion: readonly [
    protos.google.cloud.kms.v1.IUpdateCryptoKeyPrimaryVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKey,
  ];
  readonly createCryptoKeyVersion: readonly [
    protos.google.cloud.kms.v1.ICreateCryptoKeyVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
  readonly getCryptoKeyVersion: readonly [
    protos.google.cloud.kms.v1.IGetCryptoKeyVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
  readonly updateCryptoKeyVersion: readonly [
    protos.google.cloud.kms.v1.IUpdateCryptoKeyVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
  readonly destroyCryptoKeyVersion: readonly [
    protos.google.cloud.kms.v1.IDestroyCryptoKeyVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
  readonly restoreCryptoKeyVersion: readonly [
    protos.google.cloud.kms.v1.IRestoreCryptoKeyVersionRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
}

/** The calls that answer page by page. */
export interface GcpListings {
  readonly listCryptoKeys: readonly [
    protos.google.cloud.kms.v1.IListCryptoKeysRequest,
    protos.google.cloud.kms.v1.ICryptoKey,
  ];
  readonly listCryptoKeyVersions: readonly [
    protos.google.cloud.kms.v1.IListCryptoKeyVersionsRequest,
    protos.google.cloud.kms.v1.ICryptoKeyVersion,
  ];
}

/** A key, as Cloud KMS describes it. */
export type GcpKey = protos.google.cloud.kms.v1.ICryptoKey;

/** A version of a key, which is what can be used, disabled and destroyed. */
export type GcpKeyVersion = protos.google.cloud.kms.v1.ICryptoKeyVersion;
