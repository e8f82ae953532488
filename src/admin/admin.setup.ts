import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { RequestObserver } from '../common/request-observer';
import { observeRequests } from './admin-request.middleware';
import { parseJsonBody, readRawBody } from './json-body.middleware';
import { ProblemFilter } from './problem.filter';
import { setupSwagger } from './swagger';
import { createValidationPipe } from './validation.pipe';

/**
 * Prepares the Nest application that serves everything but S3: request ids and the request log, security headers, raw and
 * JSON bodies, validation, problem answers and the documentation. The application must have been created with
 * `bodyParser: false`, and must not be initialised yet.
 */
export function configureAdminApp(app: INestApplication): void {
  const express = app as NestExpressApplication;
  express.disable('x-powered-by');
  express.disable('etag');
  express.use(observeRequests(app.get(RequestObserver, { strict: false })));
  express.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'self'"],
          // Swagger UI sets style attributes and shows inlined icons.
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
          objectSrc: ["'none'"],
          baseUri: ["'none'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
        },
      },
      // Whether every host name here speaks TLS for ever is the operator's to promise.
      strictTransportSecurity: false,
    }),
  );
  express.use(readRawBody, parseJsonBody);
  app.useGlobalPipes(createValidationPipe());
  app.useGlobalFilters(new ProblemFilter());
  setupSwagger(app);
}
