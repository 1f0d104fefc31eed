import { Cell } from '@ton/core'
import client from './build/client.json' with { type: 'json' }
import proxy from './build/proxy.json' with { type: 'json' }
import root from './build/root.json' with { type: 'json' }
import worker from './build/worker.json' with { type: 'json' }

/**
 * Code compiled from the Tolk sources by `npm run build:contracts`. For networks of our own: with any other network the
 * code comes from its root contract (protocol 60 §1).
 */
export const contractCode: { readonly root: Cell; readonly proxy: Cell; readonly worker: Cell; readonly client: Cell } = {
  root: Cell.fromHex(root.boc),
  proxy: Cell.fromHex(proxy.boc),
  worker: Cell.fromHex(worker.boc),
  client: Cell.fromHex(client.boc),
}
