import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { BASIC_SCHEME, SIGNATURE_SCHEME } from './admin-controller.decorator';

const DESCRIPTION = [
  'Administration of a Strongroom store: configuration, key management, identity.',
  'Authorize with an access key id as user name and its secret key as password, or sign requests with AWS Signature',
  'Version 4 (service `s3`, `kms` or `execute-api`). The routes under `/minio` and `/rustfs` are the same ones under the',
  'prefixes that clients of those servers use. Failures are `application/problem+json`.',
].join('\n');

/**
 * Builds the OpenAPI document of everything the application serves besides S3.
 *
 * @param app created, not necessarily initialised
 */
export function buildOpenApiDocument(app: INestApplication): OpenAPIObject {
  const options = new DocumentBuilder()
    .setTitle('Strongroom administration')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addTag('configuration', 'Documents `subsystem/target`: tested before they take effect, versioned, reversible')
    .addTag('kms', 'Key management systems and their keys')
    .addTag('identity', 'Users, access keys, groups and policies')
    .addTag('lifecycle', 'What lifecycle rules did and would do')
    .addTag('notifications', 'Messages about events that wait for their targets')
    .addTag('scrub', 'Verification of stored blobs')
    .addTag('audit', 'Who did what')
    .addTag('health', 'For load balancers and orchestrators; open without credentials')
    .addBasicAuth({ type: 'http', scheme: 'basic', description: 'Access key id and secret key' }, BASIC_SCHEME)
    .addApiKey(
      { type: 'apiKey', in: 'header', name: 'Authorization', description: 'AWS Signature Version 4' },
      SIGNATURE_SCHEME,
    )
    .build();
  const document = SwaggerModule.createDocument(app, options, {
    operationIdFactory: (_controller, method) => method,
  });
  return withUniqueOperationIds(document);
}

/** Serves Swagger UI at `/docs` and the document at `/docs/openapi.json`; called before the application is initialised. */
export function setupSwagger(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => buildOpenApiDocument(app), {
    jsonDocumentUrl: 'docs/openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    customSiteTitle: 'Strongroom',
    swaggerOptions: {
      tryItOutEnabled: true,
      docExpansion: 'list',
      filter: true,
      displayRequestDuration: true,
      validatorUrl: null,
    },
  });
}

/** One handler serves several prefixes; generated clients need another name for each. */
function withUniqueOperationIds(document: OpenAPIObject): OpenAPIObject {
  const seen = new Set<string>();
  for (const path of Object.keys(document.paths).sort()) {
    for (const operation of Object.values(document.paths[path] ?? {}) as { operationId?: string }[]) {
      const base = operation.operationId;
      if (base === undefined) {
        continue;
      }
      let name = base;
      for (let number = 2; seen.has(name); number++) {
        name = `${base}${number}`;
      }
      seen.add(name);
      operation.operationId = name;
    }
  }
  return document;
}
