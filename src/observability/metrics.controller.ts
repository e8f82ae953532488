import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { MetricsService } from './metrics.service';

/** The part of an HTTP answer that is used here. */
interface TextAnswer {
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** Prometheus' scrape target. Open without credentials: it holds numbers and fixed names only. */
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  async scrape(@Res() answer: TextAnswer): Promise<void> {
    const text = await this.metrics.text();
    answer.setHeader('Content-Type', this.metrics.contentType);
    answer.setHeader('Cache-Control', 'no-store');
    answer.end(text);
  }
}
