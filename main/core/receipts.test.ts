import { toNano } from '@ton/core'
import { expect, it, onTestFinished } from 'vitest'
import type { ReceiptAttestation } from '../../preload/api/receipt.ts'
import { receiptMaker } from './receipts.ts'
import { PaidNetwork } from './testing/paid-network.ts'

it('a receipt is of the time of its answer, however late the rest of it is known', async () => {
  const net = await PaidNetwork.start()
  onTestFinished(() => net.stop())
  await net.openAccount(toNano('5'))
  await net.workerReady()
  const { model } = net.backend
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 8 })
  const receipts = receiptMaker(net.client, () => net.network.config, 'local')
  const query = net.client.runChat({ model, body }, AbortSignal.timeout(60_000))
  for await (const _ of query.body);
  const { requestId, seal } = query
  const attestation = Promise.withResolvers<ReceiptAttestation>()
  const hash = '11'.repeat(32)
  const end = await query.end
  const making = receipts.make({
    ...{ requestId, requestSha256: hash, responseSha256: hash, model, end, seal },
    attestation: attestation.promise,
  })
  const answeredAtMs = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 20))
  attestation.resolve('none')
  expect((await making)?.answeredAtMs).toBeLessThanOrEqual(answeredAtMs)
})
