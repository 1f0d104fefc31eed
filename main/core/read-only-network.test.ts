import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, vi } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { parseNetwork } from '../network/network-file.ts'
import { ReadOnlyNetwork } from './read-only-network.ts'
import { StartProgress } from './start-progress.ts'

/** Of the only endpoint: how many requests it refuses before it says nothing any more. */
it.each([
  ['while the contract is read for the first time', 0],
  ['while it is followed', 1],
])('is closed at once although its endpoint is silent, %s', async (_when, refusals) => {
  let asked = 0
  const endpoint = createServer((_request, response) => {
    if (++asked <= refusals) response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
  const place = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`
  const url = `${place}?api_key=c0ffee`
  const network = parseNetwork({
    ...{ format: 'cocoon-network', version: 1, name: 'Far', kind: 'open', createdAt: '2026-11-22T06:00:00.000Z' },
    ...{ chain: { kind: 'mainnet', endpoints: [url] }, root: `0:${'77'.repeat(32)}` },
  })
  if (network.mode !== 'chain') throw new Error('not on a chain')
  const progress = new StartProgress(silentLogger, { readOnly: true })
  const far = new ReadOnlyNetwork({ network, endpoints: [url], progress, logger: silentLogger })
  try {
    const started = far.start()
    await vi.waitFor(() => expect(asked).toBe(refusals + 1), { timeout: 60_000 })
    const ended = Promise.all([far.stop(), started]).then(() => 'ended')
    expect(await Promise.race([ended, pause(5_000)])).toBe('ended')
    const told = progress.state.value
    endpoint.closeAllConnections()
    await pause(50)
    // What came of the last question is told to nobody any more.
    expect(progress.state.value).toBe(told)
    expect(JSON.stringify(told)).not.toContain('c0ffee')
  } finally {
    endpoint.closeAllConnections()
    endpoint.close()
  }
})
