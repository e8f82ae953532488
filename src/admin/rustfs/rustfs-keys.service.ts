import { Injectable } from '@nestjs/common';
import { KmsError } from '../../kms/kms-error';
import { keyReferenceOf } from '../admin-auth.guard';
import type { AdminRequest } from '../admin-request';
import { KeyLifecycleService, type KeyDetails } from '../keys/key-lifecycle.service';
import type { RustfsBareKeyPageDto, RustfsCreateKeyDto, RustfsListKeysQuery } from './rustfs-keys.dto';
import { toListedKey } from './rustfs-wire';

const USUAL_PAGE = 100;
const LONGEST_PAGE = 1_000;
/** What a provider says of a key that it lists but cannot read. */
const UNREADABLE = 'unknown';

/** RustFS' rules about naming and listing keys, over the keys of the default KMS. */
@Injectable()
export class RustfsKeys {
  constructor(private readonly keys: KeyLifecycleService) {}

  /**
   * Creates a key under the name that the query, the body or the tag `name` gives, else under a fresh one.
   *
   * @throws AdminError `AccessDenied`; KmsError
   */
  async create(request: AdminRequest, { description, tags }: RustfsCreateKeyDto): Promise<KeyDetails> {
    const reference = keyReferenceOf(request) ?? tags?.['name'];
    return this.keys.create(request, { reference, description, tags });
  }

  /**
   * One page of keys. Filters are applied to the page after it is cut; keys that cannot be read are told by name.
   *
   * @throws AdminError `AccessDenied`; KmsError `kms-protocol` when a whole listing has no readable key
   */
  async list(
    request: AdminRequest,
    { limit, marker, usage_filter, status_filter }: RustfsListKeysQuery,
  ): Promise<RustfsBareKeyPageDto> {
    const wanted = Math.min(limit === undefined ? USUAL_PAGE : Number(limit), LONGEST_PAGE);
    const page = await this.keys.list(request, { pattern: '', marker, limit: Math.max(wanted, 1) });
    if (wanted === 0) {
      return { keys: [], truncated: false, next_marker: null };
    }
    const readable = page.keys.filter((key) => key.algorithm !== UNREADABLE);
    const unreadable = page.keys.filter((key) => key.algorithm === UNREADABLE).map((key) => key.keyId);
    const isWhole = marker === undefined && page.nextMarker === undefined;
    if (isWhole && readable.length === 0 && unreadable.length > 0) {
      throw new KmsError('kms-protocol', `None of the ${unreadable.length} keys can be read`);
    }
    const keys = readable
      .map(toListedKey)
      .filter((key) => usage_filter === undefined || key.usage === usage_filter)
      .filter((key) => status_filter === undefined || key.status === status_filter);
    return {
      keys,
      truncated: page.nextMarker !== undefined,
      next_marker: page.nextMarker ?? null,
      ...(unreadable.length === 0 ? {} : { unreadable_key_ids: unreadable }),
    };
  }
}
