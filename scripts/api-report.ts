/**
 * The public API as text, etc/celery-redis-backend.api.md, made from the declarations in dist: a namespace for each entry of the
 * package. Fails when it is not what the code says; with `--update` it writes what the code says, to be reviewed with the code.
 */
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly import: { readonly types: string } }>>;
}

/** A module whose names are the package's entries: `index`, `canvas`, `celeryNode`. */
function entries(): string {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const lines = Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return [];
    const words = entry === '.' ? 'index' : entry.slice('./'.length);
    const name = words.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    return [`import * as ${name} from '${resolve(target.import.types)}';`, `export { ${name} };`];
  });
  return `${lines.join('\n')}\n`;
}

/** Makes the report; says whether it is the one in etc/. */
function agrees(folder: string, update: boolean): boolean {
  const main = resolve(folder, 'entries.d.ts');
  writeFileSync(main, entries());
  const silent = { default: { logLevel: ExtractorLogLevel.None } };
  const extractorConfig = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: resolve('package.json'),
    configObject: {
      projectFolder: resolve('.'),
      mainEntryPointFilePath: main,
      newlineKind: 'lf',
      compiler: { overrideTsconfig: { extends: './tsconfig.json', include: [main] } },
      // What a public type is built of is public too.
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFolder: resolve('etc'),
        reportTempFolder: folder,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: { extractorMessageReporting: silent, tsdocMessageReporting: silent },
    },
  });
  const { apiReportChanged } = Extractor.invoke(extractorConfig, {
    localBuild: update,
    messageCallback: (message) => (message.handled = message.logLevel !== ExtractorLogLevel.Error),
  });
  return update || !apiReportChanged;
}

const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } });
mkdirSync('etc', { recursive: true });
// Within the package, so that its declarations count as its own.
const folder = mkdtempSync(join('dist', 'api-'));
try {
  if (!agrees(folder, values.update)) {
    console.error('The API is not what etc/ says. If it is meant to be so: npm run api:update');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
