// Reads every event of a type with HubSpot's official client, as its users do, and prints them as JSON, with the event types.
// node page.mjs <base path> <event type> <as-given|decoded: how to send the cursors of the next pages>
import { Client } from '@hubspot/api-client'

const [basePath, eventType, cursors] = process.argv.slice(2)
const { eventsApi } = new Client({ accessToken: 'any-access-token', basePath }).events

async function* pages() {
  let after
  do {
    const page = await eventsApi.getPage(undefined, eventType, after, undefined, 40)
    yield page.results
    after = page.paging?.next?.after
    if (after && cursors === 'decoded') after = decodeURIComponent(after)
  } while (after)
}

async function read() {
  const events = []
  for await (const page of pages()) events.push(...page.map(({ id, occurredAt, properties }) => [id, occurredAt.getTime(), properties]))
  return { events, types: (await eventsApi.getTypes()).eventTypes }
}

console.log(JSON.stringify(await read().catch(({ code, body }) => ({ code, message: body?.message }))))
