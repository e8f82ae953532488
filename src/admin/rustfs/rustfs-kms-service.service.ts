import { Injectable } from '@nestjs/common';
import { ConfigManager } from '../../config/config-manager';
import type { ConfigReadout } from '../../config/subsystem';
import { dataKeyCacheEntries, dataKeyCacheEvictions, dataKeyCacheLookups } from '../../kms/kms.metrics';
import { KmsService } from '../../kms/kms.service';
import type { KmsTargetStatus } from '../../kms/kms-target';
import { AdminError } from '../admin-error';
import { KmsAdminService } from '../kms-admin.service';
import { mapConfiguration } from './rustfs-configure';
import type { RustfsConfigureDto } from './rustfs-configure.dto';
import type {
  RustfsCacheStatsDto,
  RustfsConfigDto,
  RustfsServiceAnswerDto,
  RustfsServiceState,
  RustfsServiceStatusDto,
  RustfsStatusDto,
} from './rustfs-service.dto';

const BACKENDS: Readonly<Record<string, string>> = {
  builtin: 'Local',
  vault: 'VaultTransit',
  vault_kv: 'VaultKV2',
  aws: 'AWS',
};
const TARGET = 'default';

/**
 * RustFS knows one KMS, which is configured, started and stopped; here it stands for the default one. A stopped KMS stays
 * the default, lest new objects end up under a key of another.
 */
@Injectable()
export class RustfsKmsService {
  constructor(
    private readonly config: ConfigManager,
    private readonly kms: KmsService,
    private readonly admin: KmsAdminService,
  ) {}

  /**
   * Tests and stores a configuration and makes its KMS the default.
   *
   * @throws AdminError `InvalidRequest`, `NotOffered`; ConfigError `config-invalid`, `config-test-failed`, …
   */
  async configure(request: RustfsConfigureDto, changedBy: string): Promise<RustfsServiceAnswerDto> {
    const { subsystem, values, owned, common } = mapConfiguration(request);
    if (!this.config.subsystems().some(({ name }) => name === subsystem)) {
      throw new AdminError('NotOffered', `This server has no KMS of type ${request.backend_type}`);
    }
    const stored = await this.document(subsystem);
    const left = owned.filter((field) => !(field in values) && stored?.fields[field]?.source === 'database');
    const cleared = Object.fromEntries(left.map((field) => [field, null]));
    await this.config.set(subsystem, TARGET, { ...cleared, ...values }, { changedBy });
    const default_target = `${subsystem.slice('kms_'.length)}:${TARGET}`;
    await this.config.set('kms', TARGET, { ...common, default_target }, { changedBy });
    return this.answer('KMS configured and running');
  }

  /** @throws ConfigError `config-not-found`, `config-test-failed`; AdminError `InvalidRequest` when nothing is configured */
  async start(force: boolean, changedBy: string): Promise<RustfsServiceAnswerDto> {
    const state = await this.state();
    if (state === 'Running' && !force) {
      return this.answer('KMS is running already');
    }
    if (state === 'NotConfigured') {
      throw new AdminError('InvalidRequest', 'No KMS is configured', [], { remedy: 'POST /kms/configure first' });
    }
    const { subsystem, target } = this.defaultDocument();
    await this.config.set(subsystem, target, { enabled: true }, { changedBy });
    return this.answer('KMS started');
  }

  /** @throws ConfigError `config-environment-override` where the environment says that the KMS is used */
  async stop(changedBy: string): Promise<RustfsServiceAnswerDto> {
    const { subsystem, target } = this.defaultDocument();
    await this.config.set('kms', TARGET, { default_target: this.kms.defaultKms }, { changedBy });
    await this.config.set(subsystem, target, { enabled: false }, { changedBy });
    return this.answer('KMS stopped');
  }

  async serviceStatus(): Promise<RustfsServiceStatusDto> {
    const health = this.defaultStatus()?.health ?? 'unknown';
    const config_summary = this.configuration();
    return {
      status: await this.state(),
      backend_type: config_summary.backend,
      healthy: { online: true, offline: false, unknown: null }[health],
      config_summary,
    };
  }

  async status(): Promise<RustfsStatusDto> {
    const { backend, cache_enabled } = this.configuration();
    const status = this.defaultStatus();
    return {
      ...this.admin.status(),
      backend_type: backend,
      cache_enabled,
      cache_stats: await cacheStats(),
      ...(status?.capabilities === undefined ? {} : { capabilities: capabilitiesOf(status) }),
    };
  }

  configuration(): RustfsConfigDto {
    const { maxEntries, ttl } = this.kms.cacheSettings;
    const [type = ''] = this.kms.defaultKms.split(':');
    return {
      backend: BACKENDS[type] ?? type,
      cache_enabled: maxEntries > 0 && ttl > 0,
      cache_max_keys: maxEntries,
      cache_ttl_seconds: Math.round(ttl / 1_000),
      default_key_id: this.defaultStatus()?.defaultKeyId ?? null,
    };
  }

  /** Has every process forget its unwrapped data keys, as any change of the settings over all KMSs does. */
  async clearCache(changedBy: string): Promise<void> {
    await this.config.set('kms', TARGET, {}, { changedBy, comment: 'Clear the cache of data keys' });
  }

  private async answer(message: string): Promise<RustfsServiceAnswerDto> {
    return { success: true, message, status: await this.state() };
  }

  private async state(): Promise<RustfsServiceState> {
    const { subsystem, target } = this.defaultDocument();
    const document = await this.document(subsystem, target);
    if (document?.enabled === false) {
      return 'Configured';
    }
    const status = this.defaultStatus();
    if (status === undefined) {
      return 'NotConfigured';
    }
    return status.health === 'offline' ? { Error: status.lastError?.message ?? 'The KMS does not answer' } : 'Running';
  }

  private defaultStatus(): KmsTargetStatus | undefined {
    return this.kms.status().find((target) => target.isDefault);
  }

  private defaultDocument(): { readonly subsystem: string; readonly target: string } {
    const [type = '', target = TARGET] = this.kms.defaultKms.split(':');
    return { subsystem: `kms_${type}`, target };
  }

  private async document(subsystem: string, target = TARGET): Promise<ConfigReadout | undefined> {
    return (await this.config.list(subsystem)).find((readout) => readout.target === target);
  }
}

/** What can be done from here, be it that this store keeps states which the KMS does not have. */
function capabilitiesOf({ type, capabilities }: KmsTargetStatus): Record<string, boolean> {
  const deletes = capabilities?.deleteKey === true;
  return {
    encrypt: true,
    decrypt: true,
    generate_data_key: true,
    enable_disable: true,
    rotate: capabilities?.rotateKey === true,
    versioning: capabilities?.keyVersions === true,
    schedule_deletion: capabilities?.scheduleDeletion === true || deletes,
    physical_delete: deletes || (capabilities?.scheduleDeletion === true && type !== 'aws'),
    rewrap: capabilities?.rewrap === true,
    // Descriptions and tags are kept beside the KMS.
    update_key_metadata: true,
  };
}

async function cacheStats(): Promise<RustfsCacheStatsDto> {
  const lookups = (await dataKeyCacheLookups.get()).values;
  const total = (values: readonly { readonly value: number }[]): number =>
    values.reduce((sum, { value }) => sum + value, 0);
  return {
    hit_count: total(lookups.filter(({ labels }) => labels.result !== 'miss')),
    miss_count: total(lookups.filter(({ labels }) => labels.result === 'miss')),
    entry_count: total((await dataKeyCacheEntries.get()).values),
    eviction_count: total((await dataKeyCacheEvictions.get()).values),
  };
}
