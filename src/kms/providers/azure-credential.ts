import type * as identitySdk from '@azure/identity' with { 'resolution-mode': 'import' };
import { signInError } from './azure-errors';
import type { AzureSettings } from './azure-settings';
import type { AzureTransport } from './azure-transport';

/** Hosts of Entra ID that the SDK knows and checks authorities with. */
const PUBLIC_AUTHORITIES: ReadonlySet<string> = new Set([
  'https://login.microsoftonline.com',
  'https://login.microsoftonline.us',
  'https://login.chinacloudapi.cn',
  'https://login.partner.microsoftonline.cn',
]);

/** The SDK's module, loaded by the caller. */
export type IdentitySdk = typeof identitySdk;

/** A credential that remembers when its last token ends. */
export interface AzureCredential extends identitySdk.TokenCredential {
  readonly tokenEnd: Date | undefined;
}

/**
 * Makes the credential that a target signs in with.
 * @param kms `<type>:<target>`, for messages
 */
export function azureCredential(
  sdk: IdentitySdk,
  kms: string,
  settings: AzureSettings,
  transport: AzureTransport,
): AzureCredential {
  const credential = plainCredential(sdk, settings, transport);
  let tokenEnd: Date | undefined;
  return {
    get tokenEnd() {
      return tokenEnd;
    },
    getToken: async (scopes, options) => {
      const token = await transport
        .signIn(() => credential.getToken(scopes, options))
        .catch((error: unknown) => {
          throw signInError(kms, error);
        });
      tokenEnd = token === null ? undefined : new Date(token.expiresOnTimestamp);
      return token;
    },
  };
}

function plainCredential(
  sdk: IdentitySdk,
  { identity, authorityHost }: AzureSettings,
  httpClient: AzureTransport,
): identitySdk.TokenCredential {
  const options = {
    authorityHost,
    disableInstanceDiscovery: authorityHost !== undefined && !PUBLIC_AUTHORITIES.has(authorityHost),
    httpClient,
    // The call policy retries.
    retryOptions: { maxRetries: 0 },
  };
  switch (identity.type) {
    case 'secret':
      return new sdk.ClientSecretCredential(identity.tenantId, identity.clientId, identity.secret.reveal(), options);
    case 'certificate':
      return new sdk.ClientCertificateCredential(identity.tenantId, identity.clientId, identity.file, options);
    case 'managed':
      return new sdk.ManagedIdentityCredential({ ...options, clientId: identity.clientId });
    case 'default':
      return new sdk.DefaultAzureCredential({ ...options, tenantId: identity.tenantId });
  }
}
