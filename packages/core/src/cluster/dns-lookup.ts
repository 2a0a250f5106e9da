import { lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { ClusterConnectionOptions } from '../options/options.js';

/**
 * Reads the option `dnsLookup`: what a socket asks for the address of a host. The host keeps its name for TLS. What is
 * answered with a name, the same or another one, is looked up as usual.
 */
export function socketLookup(dnsLookup: NonNullable<ClusterConnectionOptions['dnsLookup']>): LookupFunction {
  return (host, options, found) => {
    dnsLookup(host, (error, address) => {
      if (error) return found(error, '');
      const family = isIP(address);
      if (family === 0) return lookUp(address, options, found);
      return options.all ? found(null, [{ address, family }]) : found(null, address, family);
    });
  };
}
