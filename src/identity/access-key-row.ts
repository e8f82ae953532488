/** An access key with its owner, as requests need it. */
export interface AccessKeyRow {
  readonly accessKeyId: string;
  readonly sealedSecret: Buffer;
  readonly status: 'enabled' | 'disabled';
  readonly sessionPolicy: string | null;
  readonly expiresAt: Date | null;
  /** Null for keys of root, as are the other fields of the user. */
  readonly userId: string | null;
  readonly userName: string | null;
  readonly userStatus: 'enabled' | 'disabled' | null;
  readonly ownerId: string | null;
}
