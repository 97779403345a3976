/** Which node of a cluster holds which key. */
import { type Address, showAddress } from './topology.ts';

/** How many slots a cluster has. */
export const SLOTS = 16_384;

/** CRC-16 of each byte: polynomial 0x1021, as in XMODEM. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a key: of all of it, or of what stands in its first braces, if that is anything.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ (CRC[(crc >> 8) ^ byte] ?? 0);
  return crc % SLOTS;
}

/** A cluster as one of its nodes sees it. */
export interface SlotMap {
  /** The master of each slot, as `showAddress` writes it; `undefined` for one that none serves. */
  readonly owners: readonly (string | undefined)[];
  /** Every node, replicas too, by the same text. */
  readonly nodes: ReadonlyMap<string, Address>;
  /** Those that are masters of slots. */
  readonly masters: ReadonlySet<string>;
}

/**
 * Reads the reply of CLUSTER SLOTS.
 *
 * @param asked - the node that replied; stands where it leaves its own host out
 * @param translate - how a node is reached from here, by the address that it is told by
 * @throws Error when the reply has another shape
 */
export function readSlots(reply: unknown, asked: Address, translate: (address: Address) => Address): SlotMap {
  const owners = new Array<string | undefined>(SLOTS).fill(undefined);
  const nodes = new Map<string, Address>();
  const masters = new Set<string>();
  for (const range of asList(reply)) {
    const [from, to, ...members] = asList(range);
    members.forEach((member, index) => {
      const address = addressOf(asList(member), asked, translate);
      const name = showAddress(address);
      nodes.set(name, address);
      if (index > 0) return;
      masters.add(name);
      owners.fill(name, Number(from), Number(to) + 1);
    });
  }
  return { owners, nodes, masters };
}

/** Reads the host and port of a redirection, or of a node: an empty host or `?` is that of the node that was asked. */
export function readAddress(text: string, asked: Address, translate: (address: Address) => Address): Address {
  const colon = text.lastIndexOf(':');
  return addressOf([text.slice(0, colon), text.slice(colon + 1)], asked, translate);
}

function addressOf(
  [host, port]: readonly unknown[],
  asked: Address,
  translate: (address: Address) => Address,
): Address {
  const name = typeof host === 'string' && host !== '' && host !== '?' ? host : asked.host;
  return translate({ host: name, port: Number(port) });
}

function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error('CLUSTER SLOTS gave something else than lists');
}
