/** An encryption context: string pairs that the KMS authenticates together with a data key. Not secret. */
export type EncryptionContext = Readonly<Record<string, string>>;
