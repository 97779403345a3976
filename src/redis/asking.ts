/** Commands to the node that a slot is moving to. */
import type { RedisClient } from './client.ts';

type Command = (...args: unknown[]) => Promise<unknown>;

/**
 * The client as it is, but that ASKING goes before each command. A script goes as EVAL: the second command of an EVALSHA
 * that the node does not know would come without ASKING.
 *
 * ASKING holds for the one command that follows on the same connection, and both are written in one turn.
 */
export function asking(client: RedisClient): RedisClient {
  const scripts = new Map<PropertyKey, Command>();
  const ask = (command: Command): Command => {
    return async (...args) => {
      const send = async (): Promise<unknown> => command(...args);
      // Both are written in this turn. A command whose ASKING was refused is only sent back to where we come from.
      const [, reply] = await Promise.all([client.call('ASKING'), send()]);
      return reply;
    };
  };
  const defineCommand: RedisClient['defineCommand'] = (name, { lua, numberOfKeys }) => {
    const evaluate: Command = (...args) => client.call('EVAL', lua, String(numberOfKeys), ...(args as string[]));
    scripts.set(name, ask(evaluate));
  };
  return new Proxy(client, {
    get: (target, name): unknown => {
      if (name === 'defineCommand') return defineCommand;
      const script = scripts.get(name);
      if (script) return script;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      // A script that was defined on the client itself is none here.
      if (Object.hasOwn(target, name)) return undefined;
      return ask((value as Command).bind(target));
    },
  });
}
