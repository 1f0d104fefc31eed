import { writeFileSync } from 'node:fs'

/** Writes the file of a network without a chain, with one proxy on this computer; an adjusted token costs 2 nanoton, its worker gets 1. */
export function writeChainlessNetwork(path: string, ports: { readonly workers: number; readonly clients: number }): void {
  const pseudoRoot = {
    registered_proxies: [{ seqno: 1, address: `127.0.0.1:${ports.workers} 127.0.0.1:${ports.clients}` }],
    price_per_token: 2,
    worker_fee_per_token: 1,
    last_proxy_seqno: 1,
    version: 3,
    params_version: 1,
    root_owner_address: 'EQBgPMq7ye2WRcudRHK_-yjHwMXjeN-UCzAuoo06TR6hmuea',
  }
  writeFileSync(path, JSON.stringify({ pseudoRoot }))
}
