"""Everything that is asked of Linear. A test holds each document against Linear's schema and its limit of points.

A query costs a tenth of a point for a property and a point for an object, times `first` of the pages it stands in;
more than 10,000 are refused. So nested pages are small here, and what does not fit is read by `DETAILS`.
"""

PAGE = 100
"""Issues on a page when everything is read."""
CHANGES_PAGE = 20
"""Issues on a page of changes: asked every minute, it must leave most of an hour's 250,000 points to others."""
NAMED_PAGE = 50
"""Issues that are asked for by their ids at once."""

_TEAM_IS_THERE = "teams(first: 1, filter: {key: {eqIgnoreCase: $team}}) { nodes { id } }"
"""Tells an empty team from one that the key cannot see: both have no issues."""

_BLOCKER = "type issue { identifier archivedAt trashed state { type } }"

ISSUES = f"""
query Issues($team: String!, $filter: IssueFilter!, $order: PaginationOrderBy!, $first: Int!, $after: String) {{
  {_TEAM_IS_THERE}
  issues(first: $first, after: $after, filter: $filter, orderBy: $order) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      id identifier title description priority url updatedAt archivedAt trashed
      state {{ id name type }}
      labels(first: 10) {{ pageInfo {{ hasNextPage }} nodes {{ name }} }}
      inverseRelations(first: 5) {{ pageInfo {{ hasNextPage }} nodes {{ {_BLOCKER} }} }}
    }}
  }}
}}
"""

DETAILS = f"""
query Details($filter: IssueFilter!) {{
  issues(first: 1, filter: $filter) {{
    nodes {{
      id
      labels(first: 250) {{ pageInfo {{ hasNextPage }} nodes {{ name }} }}
      inverseRelations(first: 250) {{ pageInfo {{ hasNextPage }} nodes {{ {_BLOCKER} }} }}
    }}
  }}
}}
"""

TEAM = """
query Team($team: String!) {
  teams(first: 1, filter: {key: {eqIgnoreCase: $team}}) {
    nodes { id key states(first: 100) { nodes { id name type position } } }
  }
}
"""

RECORD = f"""
query Record($team: String!, $filter: IssueFilter!, $comments: [ID!]!, $link: String!) {{
  {_TEAM_IS_THERE}
  issues(first: 1, filter: $filter) {{
    nodes {{
      id title description archivedAt trashed
      state {{ id name type }}
      comments(first: 10, filter: {{id: {{in: $comments}}}}) {{ nodes {{ id body }} }}
      attachments(first: 1, filter: {{url: {{eq: $link}}}}) {{ nodes {{ id title url }} }}
    }}
  }}
}}
"""

LABELS = """
query Labels($filter: IssueLabelFilter!) {
  issueLabels(first: 100, filter: $filter) { nodes { id name team { id } } }
}
"""

CREATE_ISSUE = """
mutation CreateIssue($input: IssueCreateInput!) { issueCreate(input: $input) { success } }
"""

UPDATE_ISSUE = """
mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success } }
"""

CREATE_COMMENT = """
mutation CreateComment($input: CommentCreateInput!) { commentCreate(input: $input) { success } }
"""

UPDATE_COMMENT = """
mutation UpdateComment($id: String!, $input: CommentUpdateInput!) { commentUpdate(id: $id, input: $input) { success } }
"""

LINK = """
mutation Link($input: AttachmentCreateInput!) { attachmentCreate(input: $input) { success } }
"""

ALL = (
    ISSUES, DETAILS, TEAM, RECORD, LABELS, CREATE_ISSUE, UPDATE_ISSUE, CREATE_COMMENT, UPDATE_COMMENT, LINK,
)  # fmt: skip
