import { expect, it, onTestFinished } from 'vitest'
import { Signal } from '../base/signal.ts'
import { becomeReady, clientPeer } from '../client/testing/client-peer.ts'
import { model, ringOf } from '../protocol/sealed/testing/sealing-scene.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import { openChecker } from './checks/open-checker.ts'
import { PeerWatch } from './checks/seen-peer.ts'
import { usedBy } from './checks/used-connection.ts'
import { answerOver, type Wish } from './network-answer.ts'

/** A client before a scripted proxy. */
async function standBefore(flags?: number) {
  const peer = await clientPeer()
  onTestFinished(() => peer.dispose())
  const connection = await becomeReady(peer, flags === undefined ? {} : { flags })
  return { peer, connection }
}

it('a question asks for what the sheet promises once its permit is given, not for what it promised before', async () => {
  const { peer, connection } = await standBefore()
  let wish: Wish = { seal: 'offered' }
  const link = {
    ...{ client: peer.client, model, contextTokens: () => undefined, refill: async () => undefined },
    ...{ root: () => peer.root.value, isPermitted: () => true },
  }
  const gate = async () => {
    // The check that the permit waited for found a worker to seal to.
    wish = { seal: 'required' }
    return { level: 'open', connection: 'c' } as const
  }
  const question = { messages: [{ role: 'user', content: 'Who reads this?' }], conversation: 'a chat', wish: () => wish } as const
  const answer = answerOver(link, question, gate, new AbortController().signal).next()
  const readable = connection.nextPacket('client.runQueryEx').then(() => 'readable')
  readable.catch(() => undefined)
  const refused = answer.catch((thrown: unknown) => thrown)
  expect(await Promise.race([refused, readable])).toMatchObject({ code: 'seal-unavailable' })
})

it('a worker that is too dear for any question is none that the Open network could be sealed to', async () => {
  const { peer, connection } = await standBefore(3 | cancelExtensionFlag | sealedExtensionFlag)
  const { client, root: config } = peer
  const peers = new PeerWatch()
  const wire = client.state.value.connections[0]?.wire ?? expect.unreachable('no connection')
  peers.see({ publicKey: new Uint8Array(32), imageHash: new Uint8Array(32), address: '127.0.0.1:1' }, wire)
  const network = { client, peers, root: { config } }
  const checker = openChecker(new Signal(network), new Signal(model), () => undefined)
  const check = checker.check(usedBy(network)?.name ?? '', new AbortController().signal)
  const { signedKey } = await ringOf().current()
  const { answer } = await connection.nextQuery('client.getWorkerKeys')
  const busy = { active_requests: 0, max_active_requests: 8 }
  answer({
    '@type': 'client.workerKeys',
    keys: [{ '@type': 'client.workerKey', signed_key: signedKey, coefficient: 1001, ...busy }],
  })
  const { rows } = await check
  expect(rows.find(({ id }) => id === 'sealed')).toMatchObject({ result: 'not-checked' })
})
