import type { Keyring } from './keyring';
import type { ProviderKind } from './provider-kind';
import { AWS_KIND } from './providers/aws.kind';
import { AZURE_KIND } from './providers/azure.kind';
import { builtinKind } from './providers/builtin.kind';
import { GCP_KIND } from './providers/gcp.kind';
import { KES_KIND } from './providers/kes.kind';
import { PKCS11_KIND } from './providers/pkcs11.kind';
import { VAULT_KV_KIND } from './providers/vault-kv.kind';
import { VAULT_KIND } from './providers/vault.kind';

/** Every kind of KMS this program can talk to; the embedded keyring first. */
export function providerKinds(keyring: Keyring): readonly ProviderKind[] {
  return [builtinKind(keyring), VAULT_KIND, VAULT_KV_KIND, KES_KIND, AWS_KIND, GCP_KIND, AZURE_KIND, PKCS11_KIND];
}
