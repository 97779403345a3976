/** `npm run bench:chart`: results/latest.json to docs/bench.svg; that and turns.json to the tables of docs/performance.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Panel, panels, wordsOf } from './chart-panels.ts';
import { fill } from './guide.ts';
import { folderOf, install } from './packages.ts';
import type { Run } from './report.ts';
import type { TurnsRun } from './turns/table.ts';

/** What is used of echarts. Its own types would need it installed for the compiler to be content with this file. */
interface ECharts {
  init(
    element: null,
    theme: null,
    options: { renderer: 'svg'; ssr: true; width: number; height: number },
  ): { setOption(option: object): void; renderToSVGString(): string; dispose(): void };
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const WIDTH = 960;
const PANEL = { top: 84, height: 190, gap: 84, left: 130, width: 330, columns: 2 };
const INK = '#1f2933';
const COLORS = { ours: '#1769aa', other: '#b8c4d0', goal: '#c2410c', floor: '#52606d' };

/** The position and size of a panel. */
function gridOf(index: number): { left: number; top: number; width: number; height: number } {
  const column = index % PANEL.columns;
  const row = Math.floor(index / PANEL.columns);
  const { left, width, top, height, gap } = PANEL;
  return { left: left + column * (width + left), top: top + row * (height + gap), width, height };
}

function line(x: number, color: string, type: string): object {
  return { xAxis: x, lineStyle: { color, type, width: 1.5 }, label: { show: false } };
}

/** One horizontal bar a competitor, the floor's ratio of 1 and the goal as lines. Ratios are on a logarithmic axis. */
function seriesOf({ bars, goal }: Panel, index: number): object {
  const lines = [line(1, COLORS.floor, 'solid'), ...(goal === undefined ? [] : [line(goal, COLORS.goal, 'dashed')])];
  return {
    type: 'bar',
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: '55%',
    data: bars.map(({ ours, ratio, label }) => ({
      value: ratio,
      itemStyle: { color: ours ? COLORS.ours : COLORS.other },
      label: {
        show: true,
        position: 'right',
        formatter: label,
        color: INK,
        fontSize: 11,
        backgroundColor: 'rgba(255,255,255,0.85)',
      },
    })),
    markLine: { symbol: 'none', animation: false, data: lines },
  };
}

/** The whole chart, as echarts takes it. */
function optionOf(all: readonly Panel[], { where, floor }: Run): object {
  const axis = { axisLine: { show: false }, axisTick: { show: false } };
  const captions = all.map(({ title, hint }, index) => {
    const { left, top } = gridOf(index);
    const style = { fontSize: 13, color: INK };
    return { text: title, subtext: hint, left: left - 110, top: top - 52, textStyle: style, itemGap: 3 };
  });
  const about = `Medians as ratios to ${floor} (solid line); dashed: this package's goal. ${where['machine'] ?? ''}; node ${where['node'] ?? ''}, redis ${where['redis'] ?? ''}`;
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: [
      ...captions,
      { text: about, left: 20, bottom: 6, textStyle: { fontSize: 11, fontWeight: 'normal', color: INK } },
    ],
    grid: all.map((_, index) => gridOf(index)),
    xAxis: all.map(({ range }, gridIndex) => ({
      ...axis,
      type: 'log',
      gridIndex,
      min: range[0],
      max: range[1],
      axisLabel: { formatter: (value: number) => `${value}x`, color: INK, fontSize: 10 },
      splitLine: { lineStyle: { color: '#e4e7eb' } },
    })),
    yAxis: all.map(({ bars }, gridIndex) => ({
      ...axis,
      type: 'category',
      gridIndex,
      inverse: true,
      data: bars.map(({ name }) => name),
      axisLabel: { color: INK, fontSize: 11 },
    })),
    series: all.map(seriesOf),
  };
}

/** The picture with what it shows in words. */
function withWords(svg: string, words: string): string {
  const text = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const head = `<title id="title">Figures of celery-redis-backend and of others</title>\n<desc id="desc">${text}</desc>`;
  return svg.replace(/^<svg ([^>]*)>/, `<svg role="img" aria-labelledby="title desc" $1>\n${head}`);
}

async function draw(run: Run): Promise<string> {
  if (folderOf('echarts', at('.')) === undefined) install();
  const echarts = (await import(import.meta.resolve('echarts'))) as ECharts;
  const all = panels(run);
  const rows = Math.ceil(all.length / PANEL.columns);
  const height = PANEL.top + rows * (PANEL.height + PANEL.gap) - PANEL.gap + 60;
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption(optionOf(all, run));
  const svg = withWords(chart.renderToSVGString(), wordsOf(all, run.floor));
  chart.dispose();
  return svg;
}

const run = JSON.parse(readFileSync(at('results/latest.json'), 'utf8')) as Run;
const turns = JSON.parse(readFileSync(at('results/turns.json'), 'utf8')) as TurnsRun;
writeFileSync(at('../docs/bench.svg'), `${await draw(run)}\n`);
const guide = at('../docs/performance.md');
writeFileSync(guide, fill(readFileSync(guide, 'utf8'), run, turns));
