import { describe, expect, it } from '@jest/globals';
import { checkSentinelOptions, maskHosts, parseTopology } from '../../../src/redis/topology.ts';

const named = { masterName: 'm' };
const verified = { verify: true, checkHostname: true };

describe('a URL of Sentinel', () => {
  it.each([
    [
      'sentinel://a:26379/1;sentinel://:pw@b',
      [
        ['a', 26379],
        ['b', 6379],
      ],
      { db: 1, username: undefined, password: undefined },
    ],
    ['sentinel://us%40er:p%3Bw@[::1]:1', [['::1', 1]], { db: 0, username: 'us@er', password: 'p;w' }],
    ['sentinel://', [['localhost', 6379]], { db: 0 }],
    [
      'sentinel://a:1;b:2;',
      [
        ['a', 1],
        ['b', 2],
      ],
      { db: 0 },
    ],
    [
      'sentinel://:pw@a:1/2;sentinel://b:2/2?client_name=api',
      [
        ['a', 1],
        ['b', 2],
      ],
      { db: 2, password: 'pw', clientName: 'api' },
    ],
  ])('%s is read as Celery reads it', (url, hosts, target) => {
    const topology = parseTopology(url, {}, named);
    expect(topology).toMatchObject({
      kind: 'sentinel',
      masterName: 'm',
      sentinels: hosts.map(([host, port]) => ({ host, port })),
      target: { ...target, scheme: 'sentinel', host: undefined, port: undefined, tls: undefined },
    });
  });

  it('may name the master in its query, which wins', () => {
    expect(parseTopology('sentinel://a;b?master_name=q', {}, named)).toMatchObject({ masterName: 'q' });
  });

  it('takes what it lacks from the settings: login, and TLS of the master, while that of the sentinels is their own', () => {
    const defaults = { username: 'u', password: 'p', tls: { ssl_cert_reqs: 'none' } };
    const sentinel = { ...named, username: 'su', password: 'sp', tls: {}, minOtherSentinels: 1 };
    expect(parseTopology('sentinel://a', defaults, sentinel)).toMatchObject({
      target: { username: 'u', password: 'p', tls: { verify: false } },
      username: 'su',
      password: 'sp',
      tls: verified,
      minOtherSentinels: 1,
    });
  });

  it.each([
    [
      'sentinel://:SECRET@a',
      /^sentinel\.masterName: expected the name that the sentinels know the master by; got none/,
    ],
    ['sentinel://a?master_name=', /^sentinel\.masterName/],
    ['sentinel://a?master_name=m;redis://:SECRET@b', /^url: expected every host to be of sentinel:\/\//],
    ['sentinel://a/1;sentinel://b/2?master_name=m', /^url: the database goes behind the first host/],
    ['sentinel://a:SECRET?master_name=m', /^url: the port is wrong/],
    ['sentinel://a?SECRET=1&master_name=m', /^url: unknown option/],
  ])('%s is refused by the name of the part that is wrong', (url, message) => {
    expect(() => parseTopology(url)).toThrow(
      expect.objectContaining({ name: 'ImproperlyConfigured', message: expect.stringMatching(message) }),
    );
  });
});

describe('a URL of a cluster', () => {
  it('has nodes to begin with, and one login for all', () => {
    expect(parseTopology('redis+cluster://u:p@a:7000;b:7001', {})).toMatchObject({
      kind: 'cluster',
      seeds: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 7001 },
      ],
      target: { username: 'u', password: 'p', db: 0, tls: undefined },
    });
  });

  it('of rediss+cluster:// has TLS, by the query behind whichever host', () => {
    const url = 'rediss+cluster://a:7000;rediss+cluster://b:7001?ssl_ca_certs=/ca.pem';
    expect(parseTopology(url)).toMatchObject({ target: { tls: { ...verified, caFile: '/ca.pem' } } });
  });

  it.each([
    ['redis+cluster://a/1', /^url: a cluster has database 0 only/],
    ['redis+cluster://a?db=1', /^url: a cluster has database 0 only/],
    ['redis+cluster://a?master_name=m', /^url: unknown option/],
    ['redis+cluster://a?ssl_ca_certs=x', /^url: ssl_ca_certs needs rediss/],
  ])('%s is refused', (url, message) => {
    expect(() => parseTopology(url)).toThrow(message);
  });
});

describe('a URL of many hosts with a ; in its password', () => {
  it.each([
    'redis+cluster://u:123;456@a:1',
    'redis+cluster://u:p@123;456@a:1',
    'rediss+cluster://u:123;456;789@a:1;b:2',
    'redis+cluster://u:123;456#7@a:1',
    'redis+cluster://u:123;456?client_name=7@a:1',
    'sentinel://u:123/4;456@a:1?master_name=m',
    'sentinel://u:123;456?789@a:1;b?master_name=m',
    'redis://u:123?456=7@a:1',
    'sentinel://u:123?456=7@a:1',
  ])('%s is refused, and nothing of it is shown', (url) => {
    let message = 'accepted';
    try {
      parseTopology(url, {}, named);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/^url: .*percent-encode/);
    expect(message).not.toMatch(/123|456|789/);
  });

  it('is read where it is percent-encoded, or every host with a login has the scheme', () => {
    expect(parseTopology('redis+cluster://u:123%3B456@a:1;b:2')).toMatchObject({ target: { password: '123;456' } });
    expect(parseTopology('redis+cluster://a:1;redis+cluster://u:p@b:2').kind).toBe('cluster');
  });
});

describe('another URL', () => {
  it('is one server', () => {
    expect(parseTopology('redis://a/1')).toMatchObject({ kind: 'server', target: { host: 'a', db: 1 } });
    expect(parseTopology(undefined, { host: 'h' })).toMatchObject({ kind: 'server', target: { host: 'h' } });
  });
});

describe('a URL for showing', () => {
  it.each([
    ['sentinel://u:a@h:1/2;sentinel://:b@i:2?master_name=m', 'sentinel://u:**@h:1/2;sentinel://:**@i:2/'],
    ['redis+cluster://:a@h:1;redis+cluster://u:b@i:2?x=y', 'redis+cluster://:**@h:1/;redis+cluster://u:**@i:2/'],
    ['redis+cluster://:a%3Bb@h:1;i:2?x=y', 'redis+cluster://:**@h:1/;i:2/'],
    ['redis+cluster://u:123;456@a:1', 'redis+cluster://**'],
    ['redis+cluster://u:p@123;456@a:1', 'redis+cluster://**'],
    ['sentinel://u:1?password=2;3@a:1/0', 'sentinel://**'],
    ['redis://:a;b@h', 'redis://:**@h/'],
  ])('%s has no password of any host', (url, shown) => {
    expect(maskHosts(url)).toBe(shown);
  });
});

describe('the option sentinel', () => {
  it.each([
    [5, /^sentinel: expected an object/],
    [{ name: 'm' }, /^sentinel\.name: expected one of masterName/],
    [{ password: 5 }, /^sentinel\.password: expected a string/],
    [{ minOtherSentinels: -1 }, /^sentinel\.minOtherSentinels: expected a whole number/],
    [{ tls: { ca: 'x' } }, /^sentinel\.tls: expected an object with some of ssl_cert_reqs/],
    [{ tls: true }, /^sentinel\.tls/],
  ])('%j is refused', (option, message) => {
    expect(() => checkSentinelOptions(option)).toThrow(message);
  });

  it('wins over the settings, part by part', () => {
    const settings = { masterName: 's', password: 'sp' };
    expect(checkSentinelOptions({ masterName: 'o', password: undefined }, settings)).toEqual({
      masterName: 'o',
      password: 'sp',
    });
  });
});
