import { Injectable } from '@nestjs/common';
import {
  NOTIFICATION_DOCUMENT,
  type NotificationRule,
  parseNotificationRules,
} from '../../notifications/notification-rules';
import { targetOfArn } from '../../notifications/target-arn';
import { WebhookTargets } from '../../notifications/webhook-targets.service';
import { BucketService } from '../../object-storage/bucket.service';
import { notificationsXml, readNotifications } from '../documents/notification-document';
import { emptyAnswer, xmlAnswer, type S3Answer, type S3Call, type S3Handlers } from '../s3-call';
import { S3Error } from '../s3-error';
import { S3Events } from '../s3-events';
import { parseXml } from '../xml';

const MAX_DOCUMENT_BYTES = 256 * 1024;

/** Which events of a bucket go to which targets. */
@Injectable()
export class NotificationOperations {
  readonly handlers: S3Handlers = {
    GetBucketNotificationConfiguration: (call) => this.get(call),
    PutBucketNotificationConfiguration: (call) => this.put(call),
  };

  constructor(
    private readonly buckets: BucketService,
    private readonly targets: WebhookTargets,
    private readonly events: S3Events,
  ) {}

  private async get(call: S3Call): Promise<S3Answer> {
    const document = await this.buckets.getDocument(call.bucket, NOTIFICATION_DOCUMENT);
    return xmlAnswer(notificationsXml(document === undefined ? [] : parseNotificationRules(document)));
  }

  private async put(call: S3Call): Promise<S3Answer> {
    const rules = readNotifications(parseXml(await call.body.read(MAX_DOCUMENT_BYTES), 'NotificationConfiguration'));
    if (String(call.headers['x-amz-skip-destination-validation']).toLowerCase() !== 'true') {
      await this.buckets.get(call.bucket);
      this.assertTargets(rules);
    }
    const content = rules.length === 0 ? null : JSON.stringify(rules);
    await this.buckets.setDocument(call.bucket, NOTIFICATION_DOCUMENT, content);
    const known = rules.map(({ arn }) => targetOfArn(arn)).filter((target) => target !== undefined);
    await this.events.publishTest(call, [...new Set(known)]);
    return emptyAnswer(200);
  }

  /** @throws S3Error InvalidArgument naming every target that does not exist */
  private assertTargets(rules: readonly NotificationRule[]): void {
    const unknown = rules.filter(({ arn }) => {
      const target = targetOfArn(arn);
      return target === undefined || this.targets.get(target) === undefined;
    });
    if (unknown.length > 0) {
      const arns = unknown.map(({ arn }) => arn);
      throw new S3Error(
        'InvalidArgument',
        `Unable to validate the following destination configurations: ${arns.join(', ')}. Configure and enable notify_webhook:<target> for each.`,
        { ArgumentName: arns[0] as string, ArgumentValue: 'The target is not configured' },
      );
    }
  }
}
