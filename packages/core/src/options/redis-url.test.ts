import { describe, expect, it } from 'vitest';
import { isRedisPoolError } from '../errors/errors.js';
import { type ParsedUrl, parseRedisUrl } from './redis-url.js';

const ACCEPTED: [url: string, parsed: ParsedUrl][] = [
  ['redis://localhost', { host: 'localhost', port: 6379 }],
  ['redis://localhost/', { host: 'localhost', port: 6379 }],
  ['REDIS://Cache.Example.COM:1', { host: 'Cache.Example.COM', port: 1 }],
  ['redis://my_cache-1:6380/0', { host: 'my_cache-1', port: 6380, db: 0 }],
  ['redis://127.0.0.1:65535/15', { host: '127.0.0.1', port: 65_535, db: 15 }],
  ['rediss://cache', { host: 'cache', port: 6379, tls: true }],
  ['redis://[::1]', { host: '::1', port: 6379 }],
  ['redis://[2001:db8::2]:7000/3', { host: '2001:db8::2', port: 7000, db: 3 }],
  ['redis://:pw@h', { host: 'h', port: 6379, password: 'pw' }],
  ['redis://user@h', { host: 'h', port: 6379, username: 'user' }],
  ['redis://user:@h', { host: 'h', port: 6379, username: 'user' }],
  [
    'redis://us%3Aer:p%40ss%2F%23%3F%25@h',
    { host: 'h', port: 6379, username: 'us:er', password: 'p@ss/#?%' },
  ],
  ['redis://u:a:b@c@h:1', { host: 'h', port: 1, username: 'u', password: 'a:b@c' }],
  ['redis://u:p+w@h', { host: 'h', port: 6379, username: 'u', password: 'p+w' }],
  ['redis://h?db=2', { host: 'h', port: 6379, db: 2 }],
  ['redis://h/2?db=2&family=6&protocol=2', { host: 'h', port: 6379, db: 2, family: 6, protocol: 2 }],
  ['redis://h?family=0', { host: 'h', port: 6379, family: 0 }],
  ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
  ['unix:///run/my%20redis.sock?db=1', { path: '/run/my redis.sock', db: 1 }],
  ['unix://user:p%40ss@/run/redis.sock', { path: '/run/redis.sock', username: 'user', password: 'p@ss' }],
  ['/run/my redis.sock', { path: '/run/my redis.sock' }],
  ['/run/100%.sock?db=4&protocol=3', { path: '/run/100%.sock', db: 4, protocol: 3 }],
];

const FORMS = 'start with redis://, rediss:// or unix://, or be an absolute path of a socket';
const ADDRESS = 'name a host and at most a port, as in redis://127.0.0.1:6379';
const QUERY = 'have no query parameters but db, family, protocol';
const NO_CREDENTIALS =
  'have user and password before the host (redis://user:password@host), not in its query';
const ENCODED = 'have / ? # in user and password percent-encoded';

const REFUSED: [url: string, rule: string, received: string][] = [
  ['', FORMS, 'an empty string'],
  ['localhost:6379', FORMS, 'a string without a scheme'],
  ['s3cret', FORMS, 'a string without a scheme'],
  ['//localhost:6379', FORMS, 'a path'],
  [' redis://localhost', FORMS, 'a string without a scheme'],
  ['http://user:s3cret@h/0', FORMS, 'http://***@h/0'],
  ['redis+tls://user:s3cret@h', FORMS, 'redis+tls://***'],
  ['redis://', ADDRESS, 'redis://'],
  ['redis:///1', ADDRESS, 'redis:///1'],
  ['redis://:s3cret', ADDRESS, 'redis://***'],
  ['redis://user:s3cret', ADDRESS, 'redis://***'],
  ['redis://:s3cret@', ADDRESS, 'redis://***@'],
  ['redis://:s3cret@:6379', ADDRESS, 'redis://***@:6379'],
  ['redis://:s3cret@h:port', ADDRESS, 'redis://***'],
  ['redis://:s3cret@h h', ADDRESS, 'redis://***'],
  ['redis://:s3cret@[::g]:1', ADDRESS, 'redis://***'],
  ['redis://:s3cret@[1:2]:1', ADDRESS, 'redis://***@[1:2]:1'],
  ['redis://h:6379\n', ADDRESS, 'redis://***'],
  ['redis://:s3cret@h:0', 'have a port from 1 to 65535', 'redis://***@h:0'],
  ['redis://h:65536', 'have a port from 1 to 65535', 'redis://h:65536'],
  ['redis://:s3cret%zz@h', 'have a percent-encoded password (% itself is %25)', 'redis://***@h'],
  ['redis://s3cret%zz:p@h', 'have a percent-encoded user (% itself is %25)', 'redis://***@h'],
  ['unix:///run/%zz', 'have a percent-encoded path (% itself is %25)', 'unix://***'],
  ['redis://user:1/s3cret@h', ENCODED, 'redis://***@h'],
  ['redis://user:1?s3cret@h', ENCODED, 'redis://***@h'],
  ['redis://user:1#s3cret@h', 'have # written as %23', 'redis://***@h'],
  ['redis://user:1#s3cret', 'have # written as %23', 'redis://***'],
  ['redis://h/main', 'have a database number as its path', 'redis://h/main'],
  ['redis://h/1/2', 'have a database number as its path', 'redis://h/1/2'],
  ['redis://h/2147483648', 'have a database number as its path', 'redis://h/2147483648'],
  ['redis://:s3cret@h/1?db=2', 'name one database, in its path or in its query', 'redis://***@h/1?***'],
  ['redis://h?db=1&db=1', 'have "db" once in its query', 'redis://h?***'],
  ['redis://h?db=x', 'have a database number for "db" in its query', 'redis://h?***'],
  ['redis://h?family=5', 'have 0, 4 or 6 for "family" in its query', 'redis://h?***'],
  ['redis://h?protocol=4', 'have 2 or 3 for "protocol" in its query', 'redis://h?***'],
  ['redis://h?password=s3cret', NO_CREDENTIALS, 'redis://h?***'],
  ['/run/redis.sock?Password=s3cret', NO_CREDENTIALS, 'a path'],
  ['redis://h?famly=6', `${QUERY}, not "famly" (did you mean "family"?)`, 'redis://h?***'],
  ['redis://h?lazyConnect=true', `${QUERY}, not "lazyConnect"`, 'redis://h?***'],
  ['redis://h?s3cret', QUERY, 'redis://h?***'],
  ['unix://run/redis.sock', 'have an absolute path, as in unix:///run/redis.sock', 'unix://run/redis.sock'],
  ['unix://:s3cret@run/x', 'have an absolute path, as in unix:///run/redis.sock', 'unix://***@run/x'],
  ['unix:///run/x?family=4', 'have no family: it is a unix socket', 'unix:///run/x?***'],
];

function messageOf(url: string): string {
  try {
    parseRedisUrl(url);
  } catch (error) {
    if (isRedisPoolError(error) && error.code === 'RP_ERR_INVALID_OPTION') return error.message;
    throw error;
  }
  throw new Error(`${url} was taken`);
}

describe('parseRedisUrl', () => {
  it.each(ACCEPTED)('reads %s', (url, parsed) => {
    expect(parseRedisUrl(url)).toEqual(parsed);
  });

  it.each(REFUSED)('refuses %j', (url, rule, received) => {
    expect(messageOf(url)).toBe(`Option "url" must ${rule}, received ${received}`);
  });

  it.each(REFUSED.filter(([url]) => url.includes('s3cret')))('keeps the password of %j to itself', (url) => {
    expect(messageOf(url)).not.toMatch(/s3cret/);
  });

  it('is called by the name that it came under', () => {
    expect(() => parseRedisUrl('x', 'Environment variable "REDIS_URL"')).toThrow(
      'Environment variable "REDIS_URL" must start with redis://',
    );
  });
});
