import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

export interface PassingEndpoint {
  readonly url: string
  close(): void
}

/**
 * A program at one address that passes on what the chain of the app that runs with a data folder answers, also when the app was started again and its
 * chain is elsewhere.
 * @param told what becomes of each answer
 */
export async function passingEndpoint(
  dataDir: string,
  told: (answer: string) => string = (answer) => answer,
): Promise<PassingEndpoint> {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const parts: Uint8Array[] = []
      for await (const part of request) parts.push(part)
      const { endpoint } = JSON.parse(readFileSync(join(dataDir, 'local-network.json'), 'utf8')) as { endpoint: string }
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(endpoint, { method: 'POST', headers, body: Buffer.concat(parts) })
      response.writeHead(answer.status, headers).end(told(await answer.text()))
    }
    pass().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/api/v2/jsonRPC`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
