import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ConfigManager } from '../config/config-manager';
import type { AppliedConfig } from '../config/subsystem';
import { testWebhook } from './webhook-connection-test';
import { WebhookSender } from './webhook-sender';
import { validateWebhookSettings, WEBHOOK_FIELDS, WEBHOOK_SUBSYSTEM, webhookSettings } from './webhook-settings';

/** The webhooks that are configured, kept up to date while the configuration changes. */
@Injectable()
export class WebhookTargets implements OnModuleInit, OnApplicationShutdown {
  private readonly senders = new Map<string, WebhookSender>();
  private unsubscribe: (() => void) | undefined;
  private onChange: () => void = () => undefined;

  constructor(private readonly config: ConfigManager) {
    config.register({
      name: WEBHOOK_SUBSYSTEM,
      description: 'Webhooks that events of buckets are delivered to.',
      multipleTargets: true,
      fields: WEBHOOK_FIELDS,
      validate: validateWebhookSettings,
      test: (target, values) => testWebhook(target, webhookSettings(values)),
    });
  }

  async onModuleInit(): Promise<void> {
    this.unsubscribe = await this.config.subscribe(WEBHOOK_SUBSYSTEM, (_subsystem, target, applied) =>
      this.apply(target, applied),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    this.unsubscribe?.();
    await Promise.all([...this.senders.values()].map((sender) => sender.close()));
  }

  /** Names of the targets in effect. */
  names(): string[] {
    return [...this.senders.keys()];
  }

  get(target: string): WebhookSender | undefined {
    return this.senders.get(target);
  }

  /** Has a function called after each change. */
  whenChanged(listener: () => void): void {
    this.onChange = listener;
  }

  private async apply(target: string, applied: AppliedConfig | undefined): Promise<void> {
    const replaced = this.senders.get(target);
    this.senders.delete(target);
    if (applied?.enabled === true && (await validateWebhookSettings(applied.values)).length === 0) {
      this.senders.set(target, new WebhookSender(target, webhookSettings(applied.values)));
    }
    await replaced?.close();
    this.onChange();
  }
}
