/** `npm run soak -- --minutes 30 --rate 1000 [--ioredis 6] [--seed 1]`: see docs/testing-reliability.md. */
import { launch } from './launch.ts';

const args = process.argv.slice(2);
const at = args.indexOf('--ioredis');
const [, major = '5'] = at === -1 ? [] : args.splice(at, 2);

process.exitCode = await launch('soak-program.ts', major === '6' ? 6 : 5, undefined, args, (line) => {
  console.log(line);
});
