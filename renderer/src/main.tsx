import { createRoot } from 'react-dom/client'
import { z } from 'zod'
import { ApiProvider } from './api/api-context.tsx'
import { bridgeLink, findBridge } from './api/bridge-link.ts'
import { createClient } from './api/client.ts'
import { pageKeyOf } from './api/page-key.ts'
import { apiUrl, websocketLink } from './api/websocket-link.ts'
import { App } from './app/app.tsx'
import './styles/app.css'

// The page's policy allows no code made from text, which zod would otherwise try.
z.config({ jitless: true })

const bridge = findBridge(window)
const client = createClient(bridge ? bridgeLink(bridge) : websocketLink(apiUrl(location), pageKeyOf(window)))
const root = document.getElementById('root')
if (!root) throw new Error('The page has no root element.')
createRoot(root).render(
  <ApiProvider client={client}>
    <App />
  </ApiProvider>,
)
