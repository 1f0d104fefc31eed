import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Collateral } from '../collateral.ts'

/** A collateral service on loopback that gives what it is told to give. */
export interface Pccs {
  readonly url: string
  /** Paths that were asked for. */
  readonly asked: string[]
  /** In the place of the answer to a path that begins so. */
  instead: Map<string, (response: ServerResponse) => void>
  collateral: Collateral
  close(): Promise<void>
}

/** Speaks the paths and headers of Intel's PCS API v4 as caching services do. */
export async function startPccs(collateral: Collateral): Promise<Pccs> {
  const asked: string[] = []
  const instead: Pccs['instead'] = new Map()
  const server = createServer((request, response) => answer(request, response))
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? ''
    asked.push(path)
    for (const [start, other] of instead) if (path.startsWith(start)) return other(response)
    const { collateral: c } = pccs
    if (path.startsWith('/tdx/certification/v4/tcb?fmspc=')) {
      response.setHeader('TCB-Info-Issuer-Chain', encodeURIComponent(c.tcbInfoChain))
      response.end(`{"tcbInfo":${c.tcbInfo},"signature":"${c.tcbInfoSignature}"}`)
    } else if (path === '/tdx/certification/v4/qe/identity') {
      response.setHeader('SGX-Enclave-Identity-Issuer-Chain', encodeURIComponent(c.qeIdentityChain))
      response.end(`{"enclaveIdentity":${c.qeIdentity},"signature":"${c.qeIdentitySignature}"}`)
    } else if (path.startsWith('/sgx/certification/v4/pckcrl?ca=')) response.end(c.pckCrl)
    else if (path === '/sgx/certification/v4/rootcacrl') response.end(Buffer.from(c.rootCrl).toString('hex'))
    else response.writeHead(404).end()
  }
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const pccs: Pccs = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    asked,
    instead,
    collateral,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return pccs
}
