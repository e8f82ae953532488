import { JsonTransport } from './json-transport';
import type { VaultConnectionSettings } from './vault-connection-settings';

/** Sealed or without an active node, a disaster recovery secondary, a performance standby that cannot serve this. */
const SERVES_NOTHING: ReadonlySet<number> = new Set([503, 472, 473]);

/** The options node-vault hands to its transport. */
interface VaultTransportRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

/** The shape node-vault expects back. */
interface VaultTransportResponse {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

/** What node-vault is told as its address; which node a request goes to is decided beneath it. */
export const ANY_NODE = 'https://any-node';

/** The sockets under node-vault, in the form of its injectable `request-promise`. */
export class VaultTransport extends JsonTransport {
  constructor(kms: string, { endpoints, tls }: Pick<VaultConnectionSettings, 'endpoints' | 'tls'>) {
    super(kms, { endpoints, tls, failoverStatuses: SERVES_NOTHING });
  }

  readonly requestPromise = {
    defaults:
      () =>
      async ({ uri, ...call }: VaultTransportRequest): Promise<VaultTransportResponse> => {
        const path = uri.slice(ANY_NODE.length);
        const { status, body } = await this.send({ ...call, path });
        return { statusCode: status, body, request: { path } };
      },
  };
}
